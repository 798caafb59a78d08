"""Repositories of a small shop, one set of functions for each table: code as it is written by copying and renaming."""

import sqlite3


def load_customer(connection, customer_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM customers WHERE id = ?", (customer_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"customer {customer_id} does not exist")
    return Customer(*row)


def save_customer(connection, customer):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO customers VALUES (?, ?, ?)", customer.values())
    connection.commit()
    return cursor.lastrowid


def delete_customer(connection, customer_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM customers WHERE id = ?", (customer_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_invoice(connection, invoice_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM invoices WHERE id = ?", (invoice_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"invoice {invoice_id} does not exist")
    return Invoice(*row)


def save_invoice(connection, invoice):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO invoices VALUES (?, ?, ?)", invoice.values())
    connection.commit()
    return cursor.lastrowid


def delete_invoice(connection, invoice_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM invoices WHERE id = ?", (invoice_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_product(connection, product_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM products WHERE id = ?", (product_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"product {product_id} does not exist")
    return Product(*row)


def save_product(connection, product):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO products VALUES (?, ?, ?)", product.values())
    connection.commit()
    return cursor.lastrowid


def delete_product(connection, product_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM products WHERE id = ?", (product_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_supplier(connection, supplier_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM suppliers WHERE id = ?", (supplier_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"supplier {supplier_id} does not exist")
    return Supplier(*row)


def save_supplier(connection, supplier):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO suppliers VALUES (?, ?, ?)", supplier.values())
    connection.commit()
    return cursor.lastrowid


def delete_supplier(connection, supplier_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM suppliers WHERE id = ?", (supplier_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_shipment(connection, shipment_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM shipments WHERE id = ?", (shipment_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"shipment {shipment_id} does not exist")
    return Shipment(*row)


def save_shipment(connection, shipment):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO shipments VALUES (?, ?, ?)", shipment.values())
    connection.commit()
    return cursor.lastrowid


def delete_shipment(connection, shipment_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM shipments WHERE id = ?", (shipment_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_warehouse(connection, warehouse_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM warehouses WHERE id = ?", (warehouse_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"warehouse {warehouse_id} does not exist")
    return Warehouse(*row)


def save_warehouse(connection, warehouse):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO warehouses VALUES (?, ?, ?)", warehouse.values())
    connection.commit()
    return cursor.lastrowid


def delete_warehouse(connection, warehouse_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM warehouses WHERE id = ?", (warehouse_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_employee(connection, employee_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM employees WHERE id = ?", (employee_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"employee {employee_id} does not exist")
    return Employee(*row)


def save_employee(connection, employee):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO employees VALUES (?, ?, ?)", employee.values())
    connection.commit()
    return cursor.lastrowid


def delete_employee(connection, employee_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM employees WHERE id = ?", (employee_id,))
    connection.commit()
    return cursor.rowcount == 1


def load_contract(connection, contract_id):
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM contracts WHERE id = ?", (contract_id,))
    row = cursor.fetchone()
    if row is None:
        raise KeyError(f"contract {contract_id} does not exist")
    return Contract(*row)


def save_contract(connection, contract):
    cursor = connection.cursor()
    cursor.execute("INSERT OR REPLACE INTO contracts VALUES (?, ?, ?)", contract.values())
    connection.commit()
    return cursor.lastrowid


def delete_contract(connection, contract_id):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM contracts WHERE id = ?", (contract_id,))
    connection.commit()
    return cursor.rowcount == 1

